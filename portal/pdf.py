"""A plain PDF of lines of text, US Letter, in Helvetica, which every reader has (ISO 32000-1, 9.6.2.2).

No library that lays out pages is among our dependencies, and a list of sentences needs none. Nothing in it
can act: text is all there is, and every byte of it is escaped. Letters outside of Windows-1252 become "?".
"""

from collections.abc import Iterable, Iterator
from itertools import islice

WIDTH, HEIGHT, MARGIN = 612, 792, 54  # points
SIZE, LEADING = 10, 14
LINES = (HEIGHT - 2 * MARGIN) // LEADING - 2  # on one page; the title and the page number take the rest
INDENT = "    "
# Widths of Helvetica, in thousandths of the size: rounded up, so that no line runs out of the page.
NARROW, WIDE = frozenset("ijltfrI.,:;'|!()[] -"), frozenset("mwMW@%—…")


def document(title: str, lines: Iterable[str]) -> bytes:
    """One PDF 1.4 file; `lines` are wrapped, and what is wrapped is indented."""
    wrapped = (part for line in lines for part in _wrapped(line))
    pages = list(iter(lambda: list(islice(wrapped, LINES)), [])) or [[]]
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", _font("Helvetica"), _font("Helvetica-Bold")]
    kids = []
    for number, page in enumerate(pages, 1):
        content = _content(title, page, f"{number} / {len(pages)}")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (WIDTH, HEIGHT, len(objects))
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return _file(objects)


def _content(title: str, lines: list[str], number: str) -> bytes:
    top = HEIGHT - MARGIN
    parts = [b"BT /F2 12 Tf %d %d Td (%s) Tj ET" % (MARGIN, top, _escaped(title))]
    parts.append(b"BT /F1 %d Tf %d TL %d %d Td" % (SIZE, LEADING, MARGIN, top - 2 * LEADING))
    parts += [b"(%s) Tj T*" % _escaped(line) for line in lines]
    parts.append(b"ET")
    parts.append(b"BT /F1 8 Tf %d %d Td (%s) Tj ET" % (MARGIN, MARGIN // 2, _escaped(number)))
    return b"\n".join(parts)


def _escaped(text: str) -> bytes:
    """A string's content (7.3.4.2). Control characters are gone, so that no line can end inside of it."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    raw = plain.encode("cp1252", "replace")
    return raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _wrapped(line: str) -> Iterator[str]:
    room, so_far = (WIDTH - 2 * MARGIN) * 1000 // SIZE, ""
    for word in line.split(" "):
        while _width(f"{INDENT}{word}") > room:  # longer than a line: cut
            fits = next(n for n in range(len(word), 0, -1) if _width(f"{INDENT}{word[:n]}") <= room)
            yield from filter(None, (so_far.rstrip(), INDENT + word[:fits]))
            so_far, word = INDENT, word[fits:]
        if so_far and _width(f"{so_far} {word}") > room:
            yield so_far.rstrip()
            so_far = INDENT + word
        else:
            so_far = f"{so_far} {word}" if so_far else word
    if so_far.strip():
        yield so_far.rstrip()


def _width(text: str) -> int:
    return sum(
        340 if c in NARROW else 1000 if c in WIDE or ord(c) > 255 else 560 if c.islower() else 760
        for c in text
    )


def _font(name: str) -> bytes:
    return b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % name.encode()


def _file(objects: list[bytes]) -> bytes:
    """Objects, numbered from 1, and the table that says where each one stands (7.5)."""
    body, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    body += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(body)
