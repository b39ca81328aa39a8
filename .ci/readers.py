"""Holds what openpyxl reads against what is written beside each workbook."""

import datetime
import glob
import json
import re
import sys

import openpyxl

START = datetime.datetime(1899, 12, 30)
DAY = datetime.timedelta(days=1)


def plain(value):
    """A cell as the JSON has it. openpyxl leaves Excel's escapes to its callers."""
    if isinstance(value, datetime.datetime):
        return round((value - START) / DAY, 6)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return round(float(value), 6)
    text = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), value)
    return text or None


def wanted(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(float(value), 6)
    return value or (value if value is False else None)


faults = cells = 0
for path in sorted(glob.glob(f"{sys.argv[1]}/*.json")):
    book = openpyxl.load_workbook(path.replace(".json", ".xlsx"))
    sheets = json.load(open(path, encoding="utf-8"))
    if book.sheetnames != [sheet["name"] for sheet in sheets]:
        sys.exit(f"{path}: the sheets are {book.sheetnames}")
    for sheet in sheets:
        for number, row in enumerate(sheet["rows"], 1):
            for place, value in enumerate(row, 1):
                cells += 1
                found = plain(book[sheet["name"]].cell(number, place).value)
                if found != wanted(value):
                    faults += 1
                    print(f"{path} {sheet['name']} row {number} column {place}: {found!r} instead of {value!r}")
print(f"{cells} cells, {faults} differ")
sys.exit(1 if faults or not cells else 0)
