(function () {
  "use strict";
  var table = document.getElementById("reports");
  var asOf = Date.parse(document.documentElement.dataset.asOf + "T00:00:00Z");
  var days = Math.floor((Date.now() - asOf) / 86400000);
  if (days > 3) {
    var old = document.getElementById("index-age");
    old.textContent = "This index was made " + days + " days ago; the reruns may have stopped.";
    old.hidden = false;
  }
  if (!table) { return; }
  var body = table.tBodies[0];
  var rows = Array.prototype.slice.call(body.rows);
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  var text = document.getElementById("filter-text");
  var status = document.getElementById("filter-status");
  var count = document.getElementById("filter-count");

  function key(row, column) {
    var cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
  }
  function sort(column, descending, numeric) {
    rows.sort(function (one, other) {
      var a = key(one, column), b = key(other, column);
      if (a === "" || b === "") { return (a === "") - (b === ""); }
      var order = numeric ? a - b : a.localeCompare(b, "en");
      return descending ? -order : order;
    });
    rows.forEach(function (row) { body.appendChild(row); });
  }
  heads.forEach(function (head, column) {
    var button = document.createElement("button");
    var numeric = head.dataset.sort === "number";
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      var descending = head.getAttribute("aria-sort") === "ascending" ||
        (numeric && head.getAttribute("aria-sort") !== "descending");
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(column, descending, numeric);
    });
  });
  function filter() {
    var wanted = text.value.trim().toLowerCase(), shown = 0;
    rows.forEach(function (row) {
      var fits = row.textContent.toLowerCase().indexOf(wanted) >= 0 &&
        (status.value === "" || row.dataset.status === status.value);
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    count.textContent = shown + " of " + rows.length + " shown";
  }
  text.addEventListener("input", filter);
  status.addEventListener("change", filter);
  document.getElementById("filters").hidden = false;
  filter();
}());
