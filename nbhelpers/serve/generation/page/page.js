// Whatever comes from the server is put in as text, never as markup.
"use strict";

const at = (id) => document.getElementById(id);

function made(name, text, kind) {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${at("token").value.trim()}` };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${said.reason}`);
  return said;
}

function table(title, names, rows) {
  const whole = document.createElement("table");
  whole.append(made("caption", title));
  const head = whole.createTHead().insertRow();
  names.forEach((name) => head.append(made("th", name)));
  const body = whole.createTBody();
  rows.forEach((row) => {
    const line = body.insertRow();
    names.forEach((name) => {
      const known = ["passed", "failed"].includes(row[name]);
      line.append(made("td", String(row[name] ?? ""), known ? row[name] : ""));
    });
  });
  return whole;
}

function show(found) {
  at("result").hidden = false;
  const who = found.strategy ? `written by: ${found.strategy}` : "no strategy passed";
  at("verdict").textContent = `${found.framework}, ${who}, ${found.seconds.toFixed(2)} s${found.cached ? ", kept" : ""}`;
  at("tables").replaceChildren(
    table("Understood", ["part", "value", "reason"], found.understood),
    table("Tried", ["strategy", "outcome", "reason", "model"], found.attempts),
    table("Checked", ["name", "verdict", "reason"], found.checks),
    made("p", `While it ran: ${found.isolation}`),
  );
  const names = Object.keys(found.files);
  const tabs = names.map((name) => {
    const tab = made("button", name);
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => {
      tabs.forEach((one) => one.setAttribute("aria-selected", String(one === tab)));
      at("file").textContent = found.files[name];
    });
    return tab;
  });
  at("names").replaceChildren(...tabs);
  at("file").textContent = "";
  if (tabs.length) tabs[Math.max(0, names.indexOf("main.py"))].click();
}

async function history() {
  const rows = await call("GET", "generations?limit=20");
  at("history").replaceChildren(...rows.map((row) => {
    const line = document.createElement("li");
    const open = made("button", `${row.created.slice(0, 19)} ${row.framework} by ${row.strategy ?? "nobody"}`);
    open.type = "button";
    open.addEventListener("click", () => guarded(async () => show(await call("GET", `generations/${row.id}`))));
    line.append(open);
    return line;
  }));
}

async function guarded(work) {
  at("state").textContent = "working ...";
  at("state").className = "";
  try {
    await work();
    at("state").textContent = "";
  } catch (error) {
    at("state").textContent = error.message;
    at("state").className = "failed";
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  at("send").disabled = true;
  const body = { text: at("text").value, order: at("order").value, checks: at("checks").value };
  guarded(async () => {
    show(await call("POST", `generate/${at("framework").value}`, body));
    await history();
  }).finally(() => { at("send").disabled = false; });
});
at("reload").addEventListener("click", () => guarded(history));
