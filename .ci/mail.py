"""Reads mails as a mail program does."""

import sys
from email import policy, message_from_bytes
from pathlib import Path

mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in Path(sys.argv[1]).glob("*/new/*")]
exports = [mail for mail in mails if "Kunjungan" in mail["Subject"]]
assert len(exports) == 3, f"{len(exports)} mails of exports among {len(mails)}"

for mail in exports:
    assert mail["Subject"] == "Ekspor Anda sudah siap: Kunjungan Mei \N{EN DASH} \N{LATIN CAPITAL LETTER U WITH DIAERESIS}bersicht", mail["Subject"]
    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Ekspor \N{MIDDLE DOT} Waybill", "exports@example.org"), sender
    (to,) = mail["To"].addresses
    assert (to.display_name, to.addr_spec) == ("Sar\N{LATIN SMALL LETTER I WITH DIAERESIS}, Ana", "ana@example.org"), to
    assert mail["Message-ID"].endswith("@example.org>"), mail["Message-ID"]
    assert mail["Date"].datetime is not None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert not mail.defects and not any(part.defects for part in mail.walk()), mail.defects
    text, html = (mail.get_body([kind]).get_content() for kind in ("plain", "html"))
    (link,) = [line for line in text.splitlines() if line.startswith("http")]
    assert link.replace("&", "&amp;") in html, link
    for part in (text, html):
        assert "40" in part and "Kunjungan Mei" in part, part
print(f"{len(exports)} mails are read as they were meant")
