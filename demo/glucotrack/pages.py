"""GlucoTrack's one page and its looks: another company's, plainly not the clinic's."""

from html import escape

from demo.glucotrack.records import Reading

STYLE = """
:root { color-scheme: light; --ink: #2b1a3d; --brand: #6d2aa8; --paper: #fff8f0; --line: #e5d5c4 }
* { box-sizing: border-box }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
header { background: var(--brand); color: #fff; padding: 1rem 1.25rem }
header b { font-size: 1.5rem; letter-spacing: .02em } header span { opacity: .9 }
main { max-width: 46rem; margin: 0 auto; padding: 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
button { font: inherit; font-weight: 600; min-height: 44px; padding: .5rem 1.25rem; border-radius: 999px;
  border: 2px solid var(--brand); background: var(--brand); color: #fff;
  cursor: pointer; margin: 0 .5rem .5rem 0 }
button.quiet { background: transparent; color: var(--brand) }
button:focus-visible { outline: 3px solid #f08a00; outline-offset: 2px }
form { display: inline }
.message { border-left: 6px solid #f08a00; background: #fff; padding: .75rem 1rem; margin: 1rem 0 }
.table { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; width: 100%; background: #fff }
caption { text-align: start; font-weight: 600; padding: .5rem 0 }
th, td { text-align: start; padding: .5rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top }
thead th { background: #f6e9da } td.number { font-weight: 600; white-space: nowrap }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%) }
  tr { display: grid; grid-template-columns: 1fr auto; padding: .5rem .75rem;
    border-bottom: 1px solid var(--line) }
  th, td { border: 0; padding: 0 } th { grid-column: 1 / 3 } td:nth-child(n+3) { font-size: .875rem }
  td:nth-child(2n+1) { text-align: end } td:last-child { grid-column: 2; text-align: end }
}
footer { max-width: 46rem; margin: 0 auto; padding: 1.25rem; font-size: .875rem }
"""


def page(*, message: str = "", reading: Reading | None = None, connected: bool = False) -> str:
    said = f'<p class="message" role="status">{escape(message)}</p>' if message else ""
    body = _connected(reading) if connected else _welcome()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GlucoTrack</title><link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,"></head><body>
<header><b>GlucoTrack</b> <span>by Acme Health</span></header>
<main>{said}{body}</main>
<footer>GlucoTrack is a demo. It stands for any app that is not your clinic's.
It forgets everything when it stops.</footer></body></html>"""


def _welcome() -> str:
    return """<h1>See your lab results over time</h1>
<p>GlucoTrack reads your lab results from your clinic, when you allow it.
You choose there what to share and for how long.</p>
<form method="post" action="/connect"><button>Connect my records</button></form>"""


def _connected(reading: Reading | None) -> str:
    buttons = """<form method="post" action="/read"><button>Read again</button></form>
<form method="post" action="/forget"><button class="quiet">Forget my records</button></form>"""
    if reading is None:
        return f"<h1>Connected</h1>{buttons}"
    born = f" (born {escape(reading.born)})" if reading.born else ""
    read_at = reading.read_at.astimezone()  # the zone of this machine, where the browser runs too
    notes = "".join(f'<p class="message">{escape(note)}</p>' for note in reading.notes)
    return f"""<h1>Records of <bdi id="patient">{escape(reading.patient) or "you"}</bdi>{born}</h1>
{notes}<p>Read at <time datetime="{read_at.isoformat()}">{read_at:%H:%M %Z}</time>.</p>
{buttons}
{_table(reading)}"""


def _table(reading: Reading) -> str:
    if not reading.rows:
        return "<p>The clinic sent no lab results.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(row.test)}</th><td class="number">{escape(row.value)}</td>'
        f"<td>{escape(row.reference)}</td><td>{escape(row.flag)}</td><td>{escape(row.date[:10])}</td></tr>"
        for row in reading.rows
    )
    return f"""<div class="table" tabindex="0" role="region" aria-label="Lab results"><table id="results">
<caption>Latest lab results ({len(reading.rows)})</caption>
<thead><tr><th scope="col">Test</th><th scope="col">Result</th><th scope="col">Usual range</th>
<th scope="col">Flag</th><th scope="col">Date</th></tr></thead><tbody>{rows}</tbody></table></div>"""
