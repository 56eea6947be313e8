"""A CSV file as rows of cells, as spreadsheet programs write it.

Tolerated, since they do: a byte order mark, UTF-16, CRLF, semicolons or tabs for
commas, a first line ``sep=;``.

Rule: it is read line by line, and bounded in bytes, lines and their length.
"""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator

from linekey.errors import InputError

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a file. 100,000 phones with ten settings each have about 20 million."""

MAX_LINE_BYTES = 1024 * 1024
"""Of one line; the longest value has 65,536 characters."""
MAX_LINES = 1_000_000
"""Ten for each of 100,000 phones."""


def _lines(data: bytes) -> Iterator[str]:
    """Yield a file's lines. Raises InputError for what is no text, or has no end."""
    if len(data) > MAX_BYTES:
        raise InputError(
            f"the file has {len(data)} bytes; the limit is {MAX_BYTES}",
            hint="split it",
        )
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:
            raise InputError(
                "the file is cut off, or not UTF-16",
                hint='save the table as "CSV UTF-8"',
            ) from None
    stream = io.BytesIO(data.removeprefix(codecs.BOM_UTF8))
    for number in itertools.count(1):
        line = stream.readline(MAX_LINE_BYTES + 1)
        if len(line) > MAX_LINE_BYTES:
            raise InputError(
                f"line {number} is longer than {MAX_LINE_BYTES} bytes",
                hint="check that this is a CSV file with one phone per line",
            )
        if number > MAX_LINES and line:
            raise InputError(f"more than {MAX_LINES} lines", hint="split the file")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"line {number} is not UTF-8", hint='save the table as "CSV UTF-8"'
            ) from None
        if "\0" in text:
            raise InputError("not a text file", hint='save the table as "CSV UTF-8"')
        if not text:
            return
        if "\r" in text:
            yield from io.StringIO(text, newline="")  # a bare CR ends a line, too
        else:
            yield text


def csv_rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each row's first line, from 1, and its cells.

    Raises InputError for what is no text or no CSV, or beyond a bound.
    """
    lines = _lines(data)
    first = next(lines, "")
    skipped = 0
    separator = None
    if re.fullmatch(r"sep=.\r?\n?", first):
        separator, skipped = first[4], 1
        first = next(lines, "")
    if separator is None:
        separator = max(",;\t", key=first.count)
    reader = csv.reader(
        itertools.chain([first] if first else [], lines),
        delimiter=separator,
        strict=True,
    )
    while True:
        line = reader.line_num + 1 + skipped
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"line {line}: {error}", hint='look for a stray " in this row'
            ) from None
