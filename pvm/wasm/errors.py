"""The one exception of this package for bad input: a binary module that cannot be read."""


from pvm.errors import InputError


class WasmError(InputError):
    """A binary module is truncated, corrupt, or uses something this reader does not know.

    `what` says what is wrong; `offset` is the byte of the module, from 0, where it was found.
    """

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} (byte offset {offset})")
        self.what = what
        self.offset = offset
