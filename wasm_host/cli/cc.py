"""`pvm cc`: C, C++, Zig and assembly of RISC-V to a program."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from pvm.errors import InputError
from pvm.isa import spec as find_spec
from pvm.link import link
from wasm_host.cc.compilers import SUFFIXES, find_compiler, include_folder, runtime_objects
from wasm_host.cc.rust import SUFFIX as RUST_SUFFIX
from wasm_host.cc.rust import find_rust
from wasm_host.cli.failures import SUCCESS
from wasm_host.cli.inputs import read_bytes
from wasm_host.cli.link import linking_options, read_options, write_linked
from wasm_host.cli.streams import refuse_same
from wasm_host.code.cache import user_folder

_FLAGS = "pvm.cc.flags"  # where the context keeps the compiler's flags
_WITH_VALUE = ("-I", "-D", "-U", "-x", "-include", "-isystem", "-iquote", "-idirafter", "-Xclang", "-mllvm", "-std")


class WithFlags(click.Command):
    """A command whose unknown options are a compiler's: click would read `-fno-x` as `-o` with a value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        mine: dict[str, bool] = {}  # option to whether a value follows
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option):
                mine |= dict.fromkeys(parameter.opts, not parameter.is_flag)
        kept: list[str] = []
        flags: list[str] = ctx.meta.setdefault(_FLAGS, [])
        words = iter(args)
        for word in words:
            name, mark, _ = word.partition("=")
            is_mine = word in mine or (mark and name.startswith("--") and name in mine)
            target = kept if is_mine or not word.startswith("-") or word == "-" else flags
            target.append(word)
            if (mine.get(word)) or word in _WITH_VALUE:
                target += [value for value in (next(words, None),) if value is not None]
        return super().parse_args(ctx, kept)


@click.command("cc", cls=WithFlags)
@click.argument("files", nargs=-1, required=True, metavar="FILES... [FLAGS]...")
@linking_options
@click.option("--compiler", metavar="NAME", help="A command such as clang. [default: zig, by the package ziglang]")
@click.pass_context
def command(
    context: click.Context, files: tuple[str, ...], output: str, entries: tuple[str, ...], format_: str,
    metadata: str | None, stack: int, heap: int, spec: str, with_map: bool, as_json: bool, compiler: str | None,
) -> int:  # fmt: skip
    """Compile and link C, C++, Zig or RISC-V assembly.

    FILES are sources (.c, .cpp, .zig, .rs, .S) and objects or archives; all that begins with - and is no option below
    goes to the compiler, such as -O2 (the default), -DNAME, -Ifolder. A program has main, or a service's refine and
    accumulate; pvm.h has the host calls. -g writes OUT.map, too, from which `pvm run` says where a program failed.
    `pip install 'pvm-wasm[cc]'` brings the compiler.

    \b
    Examples:
      pvm cc prog.c -o prog.pvm
      pvm cc prog.c -o prog.pvm -g -O1
      pvm cc service.c store.c -o service.jam -O3 --metadata "my service"
      pvm cc sum.zig -o sum.pvm --entry sum
    """
    flags: list[str] = context.meta[_FLAGS]
    refuse_same({"--output": output}, {name: name for name in files})
    with_map = with_map or "-g" in flags
    options = read_options(entries, format_, metadata, stack, heap, spec, with_map)
    version, found = find_spec(spec), find_compiler(compiler)
    code = user_folder()
    with tempfile.TemporaryDirectory(prefix="pvm-cc-") as folder:
        cache = Path(folder) if code is None else code.with_name(f"{code.name}-cc")
        include = include_folder(cache, version)
        objects = []
        for name in files:
            if Path(name).suffix in SUFFIXES:
                if not Path(name).is_file():
                    raise InputError(f"{name}: no such file")
                objects.append((name, found.compile(Path(name), flags, version, include)))
            elif Path(name).suffix == RUST_SUFFIX:
                if not Path(name).is_file():
                    raise InputError(f"{name}: no such file")
                objects.append((name, find_rust().compile(Path(name), flags, cache)))
            else:
                objects.append((name, read_bytes(name)))
        objects += [("the run-time library", archive_of(runtime_objects(found, cache, version)))]
    write_linked(link(objects, options), output, spec, with_map, as_json)
    return SUCCESS


def archive_of(objects: list[tuple[str, bytes]]) -> bytes:
    """An archive, of which just those members are linked that are needed."""
    parts = [b"!<arch>\n"]
    for name, data in objects:
        parts.append(f"{name + '/':<16.16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)
