// Holds what SheetJS reads against what is written beside each workbook.
"use strict";

const fs = require("fs");
const path = require("path");
const XLSX = require("xlsx");

const folder = process.argv[2];
let cells = 0;
let faults = 0;

function plain(cell) {
  if (!cell || cell.v === undefined || cell.v === "") return null;
  return cell.t === "n" ? Number(cell.v.toFixed(6)) : cell.v;
}

function wanted(value) {
  if (value === "") return null;
  return typeof value === "number" ? Number(value.toFixed(6)) : value;
}

for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".json")).sort()) {
  const book = XLSX.readFile(path.join(folder, name.replace(".json", ".xlsx")));
  const sheets = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
  const names = sheets.map((sheet) => sheet.name);
  if (JSON.stringify(book.SheetNames) !== JSON.stringify(names)) {
    throw new Error(`${name}: the sheets are ${book.SheetNames}`);
  }
  for (const sheet of sheets) {
    sheet.rows.forEach((row, r) => row.forEach((value, c) => {
      cells += 1;
      const found = plain(book.Sheets[sheet.name][XLSX.utils.encode_cell({ r, c })]);
      if (found !== wanted(value)) {
        faults += 1;
        console.log(`${name} ${sheet.name} row ${r + 1} column ${c + 1}:`, found, "instead of", value);
      }
    }));
  }
}
console.log(`${cells} cells, ${faults} differ`);
process.exit(faults || !cells ? 1 : 0);
