"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const compare = (a, b) => {
    const numbers = [a, b].map((cell) => Number(cell.dataset.sort ?? NaN));
    if (!numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
    return a.textContent.localeCompare(b.textContent, "en", { numeric: true });
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    const isNumeric = heading.classList.contains("number");
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const isEmpty = (row) => isNumeric && row.cells[column].dataset.sort === undefined;
      const rows = [...body.rows].sort((one, other) =>
        isEmpty(one) - isEmpty(other) ||
        (ascending ? 1 : -1) * compare(one.cells[column], other.cells[column]));
      body.append(...rows);
    });
  });
}
