"""A PDF of plain text on one or more pages, in two fonts that every reader has (ISO 32000-1)."""

import textwrap

A4 = (595, 842)  # points
MARGIN, LEADING, COLUMNS = 64, 16, 82
LINES_A_PAGE = (A4[1] - 2 * MARGIN) // LEADING


def letter(title: str, paragraphs: list[str]) -> bytes:
    """PDF bytes: a bold title, then wrapped paragraphs. The same text gives the same bytes.

    Characters outside Windows-1252 come out as question marks.
    """
    lines = [title, ""]
    for paragraph in paragraphs:
        lines += [*(textwrap.wrap(paragraph, COLUMNS) or [""]), ""]
    pages = [lines[at : at + LINES_A_PAGE] for at in range(0, len(lines), LINES_A_PAGE)]

    first_page = 5
    kids = " ".join(f"{first_page + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        stream = _page(page, has_title=number == 0)
        content = first_page + 2 * number + 1
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {A4[0]} {A4[1]}] "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {content} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream))
    return _file(objects)


def _page(lines: list[str], *, has_title: bool) -> bytes:
    parts = [b"BT", b"%d TL" % LEADING, b"%d %d Td" % (MARGIN, A4[1] - MARGIN)]
    for number, line in enumerate(lines):
        parts.append(b"/F2 15 Tf" if has_title and number == 0 else b"/F1 11 Tf")
        escaped = line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        parts.append(b"(%b) Tj T*" % escaped.encode("cp1252", "replace"))
    return b"\n".join([*parts, b"ET"])


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
