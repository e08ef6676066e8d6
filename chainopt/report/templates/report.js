"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const map = document.getElementById("map");
  const said = document.getElementById("said");
  const prompt = "No chain or server is chosen.";
  let pinned = null; // [kind, id] that stays when the pointer leaves
  let lit = [];

  for (const element of document.querySelectorAll(".script")) element.hidden = false;
  for (const details of document.querySelectorAll("details")) {
    window.addEventListener("beforeprint", () => { details.dataset.was = details.open ? "1" : ""; details.open = true; });
    window.addEventListener("afterprint", () => { details.open = Boolean(details.dataset.was); });
  }

  // every element of a chain or a server, wherever it stands
  const elements = { chain: new Map(), server: new Map() };
  for (const kind of ["chain", "server"]) {
    for (const element of document.querySelectorAll(`[data-${kind}]`)) {
      if (element.classList.contains("hit")) continue;
      const id = element.dataset[kind];
      if (!elements[kind].has(id)) elements[kind].set(id, []);
      elements[kind].get(id).push(element);
    }
  }

  function light(kind, ids, lead) {
    for (const id of ids) {
      for (const element of elements[kind].get(String(id)) || []) {
        element.classList.add("on");
        if (lead) element.classList.add("lead");
        lit.push(element);
        if (element.classList.contains("chain")) element.parentNode.appendChild(element);
      }
    }
  }

  function show(choice) {
    for (const element of lit) element.classList.remove("on", "lead");
    lit = [];
    map.classList.toggle("chosen", choice !== null);
    said.textContent = prompt;
    if (choice === null) return;
    const [kind, id] = choice;
    const entry = data[kind][id];
    light(kind, [id], true);
    light(kind === "chain" ? "server" : "chain", entry[1], false);
    said.textContent = entry[0];
  }

  function pin(choice) {
    const same = pinned !== null && choice !== null && pinned[0] === choice[0] && pinned[1] === choice[1];
    pinned = same ? null : choice;
    for (const option of document.querySelectorAll("[role=option]")) {
      const [kind, id] = choiceOf(option);
      option.setAttribute("aria-selected", String(pinned !== null && pinned[0] === kind && pinned[1] === id));
    }
    show(pinned);
  }

  function choiceOf(target) {
    const element = target.closest("[data-chain], [data-server]");
    if (element === null) return null;
    return element.dataset.chain !== undefined ? ["chain", element.dataset.chain] : ["server", element.dataset.server];
  }

  // the lists are list boxes: one stop of the Tab key each, arrows inside
  for (const list of document.querySelectorAll("[data-list]")) {
    const options = [...list.children];
    if (options.length === 0) continue;
    list.setAttribute("role", "listbox");
    options.forEach((option, i) => {
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.tabIndex = i === 0 ? 0 : -1;
    });
    const go = (i) => {
      for (const option of options) option.tabIndex = -1;
      options[i].tabIndex = 0;
      options[i].focus();
    };
    list.addEventListener("keydown", (event) => {
      const i = options.indexOf(document.activeElement);
      if (i < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
      const next = { ArrowDown: i + 1, ArrowRight: i + 1, ArrowUp: i - 1, ArrowLeft: i - 1, Home: 0, End: options.length - 1 };
      if (event.key in next) go(Math.min(Math.max(next[event.key], 0), options.length - 1));
      else if (event.key === "Enter" || event.key === " ") pin(choiceOf(options[i]));
      else return;
      event.preventDefault();
    });
    list.addEventListener("focusin", (event) => show(choiceOf(event.target)));
    list.addEventListener("focusout", () => show(pinned));
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") pin(null); });
  document.addEventListener("pointerover", (event) => {
    const choice = event.pointerType === "touch" ? null : choiceOf(event.target);
    if (choice !== null) show(choice);
  });
  document.addEventListener("pointerout", (event) => {
    if (event.pointerType !== "touch" && choiceOf(event.target) !== null) show(pinned);
  });
  document.addEventListener("click", (event) => {
    const choice = choiceOf(event.target);
    if (choice !== null) pin(choice);
  });
  show(null);

  const rate = document.getElementById("rate");
  const read = document.getElementById("read");
  const reader = document.getElementById("reader");
  const [line, dot] = reader.children;
  function readOff() {
    const [x, y, text] = data.curve[Number(rate.value)];
    for (const end of ["x1", "x2"]) line.setAttribute(end, x);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    read.textContent = text;
    rate.setAttribute("aria-valuetext", text);
  }
  rate.addEventListener("input", () => { reader.setAttribute("visibility", "visible"); readOff(); });
  readOff();
  document.documentElement.dataset.ready = "1";
})();
