"""Tables on terminals of any width: nothing is cut.

In: a rich table and the columns that there are. Out: the table, its texts wrapped where that is enough to make it fit;
else its rows one below the other, with a heading and as many facts a line as there is room for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

_LEAST_TEXTS = (18, 10)  # columns that texts which may be wrapped get, if they are as long: at best, at least
_INDENT, _GAP = 2, 3  # columns before facts, and between two on a line


def fitted(table: Table, width: int) -> RenderableType:
    """What to print of a table on `width` columns. The table itself may be changed."""
    columns = [_measured(column) for column in table.columns]
    room = width - _frame(table)
    for column in table.columns:
        column.overflow = "fold"
    if sum(column.widest for column in columns) <= room:
        return table
    for text in _LEAST_TEXTS:
        least = [max(column.least, min(column.widest, text)) for column in columns]
        if sum(least) <= room:
            return _shared(table, columns, least, room)
    if table.show_header:
        return _stacked(table, columns, width)
    return _shared(table, columns, least, room)  # names and what they are: these are folded, whatever is in them


@dataclass(frozen=True)
class _Measured:
    """A column: its texts, the columns that the longest line takes, and those without which a word would be broken."""

    header: str
    cells: tuple[Text, ...]
    widest: int
    least: int


def _measured(column: Column) -> _Measured:
    cells = tuple(cell if isinstance(cell, Text) else Text(str(cell)) for cell in column.cells)
    header = str(column.header)
    lines = [line for text in (header, *(cell.plain for cell in cells)) for line in text.splitlines()]
    widest = max(map(cell_len, lines), default=0)
    if column.no_wrap or column.justify == "right":
        return _Measured(header, cells, widest, widest)
    return _Measured(header, cells, widest, max((cell_len(word) for line in lines for word in line.split()), default=0))


def _frame(table: Table) -> int:
    """Columns that lines and padding take."""
    count = len(table.columns)
    _, right, _, left = table.padding
    edges = 2 if table.box and table.show_edge else 0
    between = count - 1 if table.box else 0
    return edges + between + (count if table.pad_edge else count - 1) * (left + right)


def _shared(table: Table, columns: Sequence[_Measured], least: Sequence[int], room: int) -> Table:
    """Give each column its width: those with the most to spare give first, and if need be the last what it has."""
    widths = [column.widest for column in columns]
    while (excess := sum(widths) - room) > 0:
        spare, place = max((width - least[place], place) for place, width in enumerate(widths))
        if spare <= 0:
            widths[-1] = max(1, widths[-1] - excess)
            break
        widths[place] -= max(1, min(spare, excess // len(widths)))
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    return table


def _stacked(table: Table, columns: list[_Measured], width: int) -> RenderableType:
    """Each row as a heading, which is its first text that is no number, and its other cells as facts."""
    heading = next((i for i, column in enumerate(table.columns) if column.justify != "right"), 0)
    title = columns.pop(heading)
    parts: list[RenderableType] = [] if table.title is None else [_text(table.title, "bold")]
    layout = _Layout.of(columns, width - _INDENT)
    for place, row in enumerate(table.rows):
        style = row.style or ""
        value = _joined(title.cells[place]) if title.cells[place] else Text("-")
        value.stylize("bold")
        parts.append(_text(Text().append(title.header and f"{title.header} ", "dim").append_text(value), style))
        parts += [Padding(line, (0, 0, 0, _INDENT), style=style) for line in layout.lines(columns, place)]
    if table.caption is not None:
        parts.append(_text(table.caption, "dim"))
    return Group(*parts)


def _text(content: object, style: str | Style) -> Text:
    text = content.copy() if isinstance(content, Text) else Text(str(content))
    text.overflow = "fold"
    text.stylize_before(style)
    return text


@dataclass(frozen=True)
class _Layout:
    """So many facts a line, and the widths of their names and values. With none a line, values are below names."""

    count: int
    names: int
    values: int

    @staticmethod
    def of(columns: Sequence[_Measured], room: int) -> _Layout:
        names = max((cell_len(column.header) for column in columns), default=0) + 2
        values = max((column.widest for column in columns), default=1)
        if names + max((column.least for column in columns), default=1) > room:
            return _Layout(0, room, room)
        count = max(1, (room + _GAP) // (names + values + _GAP))
        return _Layout(count, names, min(values, room - names))

    def lines(self, columns: Sequence[_Measured], place: int) -> Iterator[RenderableType]:
        facts = [(column.header, column.cells[place]) for column in columns if column.cells[place].plain.strip()]
        if not self.count:
            for name, value in facts:
                yield _text(name, "dim")
                yield Padding(_text(_joined(value), ""), (0, 0, 0, _INDENT))
            return
        grid = Table.grid(padding=0)
        for number in range(min(self.count, len(facts))):
            if number:
                grid.add_column(width=_GAP)
            grid.add_column(width=self.names, style="dim", overflow="fold")
            grid.add_column(width=self.values, overflow="fold")
        for start in range(0, len(facts), self.count):
            cells: list[RenderableType] = []
            for name, value in facts[start : start + self.count]:
                cells += ["", name, _joined(value)] if cells else [name, _joined(value)]
            grid.add_row(*cells)
        if facts:
            yield grid


def _joined(cell: Text) -> Text:
    """A cell of several lines on one."""
    return Text(" ").join(cell.split("\n"))
