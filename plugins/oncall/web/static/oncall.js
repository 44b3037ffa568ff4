// The little that needs a script: the theme, links out of Airflow's frame, countdowns, fresh content, copying.
// Reading works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const airflow = (() => {
    try {
      return window.parent !== window && window.parent.document ? window.parent : null;
    } catch {
      return null; // framed by somebody else: the policy forbids it, but the script must not stop there
    }
  })();

  // Airflow's theme when inside Airflow, else the system's; both can change at any time.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    const chosen = airflow && /(?:^|\s)(dark|light)(?:\s|$)/.exec(airflow.document.documentElement.className);
    root.dataset.theme = chosen ? chosen[1] : dark.matches ? "dark" : "light";
  };
  theme();
  dark.addEventListener("change", theme);
  if (airflow) {
    root.classList.add("embedded");
    new MutationObserver(theme).observe(airflow.document.documentElement, { attributeFilter: ["class"] });
  }

  // The frame may not navigate its parent or open tabs by itself: Airflow's own pages are reached through its router.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!airflow || !link || event.defaultPrevented || event.button !== 0) return;
    const outside = link.origin !== location.origin;
    if (outside || event.metaKey || event.ctrlKey || event.shiftKey) {
      event.preventDefault();
      airflow.open(link.href, "_blank", "noopener");
    } else if (link.hasAttribute("data-airflow")) {
      event.preventDefault();
      airflow.history.pushState({}, "", link.href);
      airflow.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    }
  });

  // One day of a strip is reached by Tab, the others from it by the arrow keys: sixty stops would bar the way.
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  document.addEventListener("keydown", (event) => {
    const day = event.target.closest(".strip li");
    const step = STEPS[event.key];
    if (!day || !step) return;
    event.preventDefault();
    const days = [...day.parentElement.querySelectorAll("[tabindex]")];
    const next = days[Math.min(Math.max(days.indexOf(day) + step, 0), days.length - 1)];
    day.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  // A press on the calendar tells of that week, as the link above it does.
  document.addEventListener("click", (event) => {
    const line = event.target.closest(".calendar svg");
    if (!line) return;
    const { left, width } = line.getBoundingClientRect();
    const weeks = document.querySelectorAll(".ticks a");
    weeks[Math.floor(((event.clientX - left) / width) * weeks.length)]?.click();
  });
  const unfold = () => {
    const week = location.hash.startsWith("#week-") && document.getElementById(location.hash.slice(1))?.closest("details");
    if (!week) return;
    for (let each = week; each; each = each.parentElement.closest("details")) each.open = true;
    week.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", unfold);

  // As core/time_format.py writes a length of time.
  const span = (seconds) => {
    const m = Math.floor(seconds / 60), h = Math.floor(m / 60);
    if (seconds < 120) return `${Math.max(0, Math.floor(seconds))} s`;
    if (h < 48) return h ? `${h} h ${String(m % 60).padStart(2, "0")} min` : `${m} min`;
    return `${Math.floor(h / 24)} days${h % 24 ? ` ${h % 24} h` : ""}`;
  };
  let ahead = 0; // the server's clock before this machine's, in milliseconds
  const count = () => {
    for (const element of document.querySelectorAll("[data-due]")) {
      const due = new Date(element.dataset.due) / 1000, now = (Date.now() + ahead) / 1000;
      const left = Math.abs(due - now), minutes = Math.abs(Math.floor(due / 60) - Math.floor(now / 60));
      const length = span(left < 120 ? left : minutes * 60);
      const text = due >= now ? `in ${length}` : `${length} ago`;
      if (element.textContent !== text) element.textContent = text;
    }
  };

  // Each text to be copied gets a button beside it.
  const copyButtons = () => {
    for (const pre of document.querySelectorAll(".runbook pre:not(.code pre)")) {
      const box = document.createElement("div");
      box.className = "code";
      pre.tabIndex = 0;
      pre.replaceWith(box);
      box.append(pre, copyButton(pre));
    }
    for (const line of document.querySelectorAll(".copied:not(:has(.copy))")) line.append(copyButton(line.firstElementChild));
  };
  const copyButton = (text) => {
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      button.textContent = (await copied(text.textContent.trimEnd())) ? "Copied" : "Select and copy by hand";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    return button;
  };
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea"); // plain HTTP has no clipboard object
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  // Fresh content every 15 s while somebody looks, unless they are writing or reading a hint.
  const FRESH_MS = 15000;
  let shown = ""; // what the server said last: what stands here has copy buttons and countdowns in it
  const refresh = async () => {
    const busy = document.activeElement && document.activeElement.closest("form, .strip, .copy");
    const reading = document.querySelector("details[open] form, .reading") || !getSelection().isCollapsed;
    if (document.hidden || busy || reading) return;
    const main = document.querySelector("main:not([data-still])");
    if (!main) return; // a page that says what was refused is not news
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer || !answer.ok) return tellOld(main, answer);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (!next) return;
    main.querySelector(".old")?.remove();
    if (next.innerHTML === shown) return;
    shown = next.innerHTML;
    const open = new Map([...main.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    const focused = document.activeElement;
    const at = focused && main.contains(focused) ? [...main.querySelectorAll("a, summary, button")].indexOf(focused) : -1;
    for (const each of next.querySelectorAll("details[id]")) each.open = open.get(each.id) ?? each.open;
    main.replaceChildren(...next.childNodes);
    if (at >= 0) main.querySelectorAll("a, summary, button")[at]?.focus({ preventScroll: true });
    ready();
  };

  // What is shown is not how things stand any more.
  const tellOld = (main, answer) => {
    const line = main.querySelector(".old") ?? document.createElement("p");
    const why = !answer ? "Airflow does not answer" : answer.status === 401 ? "Your session has ended" : `Airflow answers ${answer.status}`;
    const seen = main.querySelector("[data-now]")?.dataset.now.slice(11, 16);
    const text = `${why}: this is how it stood${seen ? ` at ${seen}` : " before"}.`;
    if (line.textContent === text) return;
    line.className = "said bad old";
    line.setAttribute("role", "status");
    line.textContent = text;
    main.prepend(line);
  };

  const ready = () => {
    const now = document.querySelector("[data-now]");
    if (now) ahead = new Date(now.dataset.now) - Date.now();
    count();
    copyButtons();
  };
  document.addEventListener("DOMContentLoaded", () => {
    // What was just done is said once, not again when the page is loaded anew.
    const query = new URLSearchParams(location.search);
    if (query.has("done")) {
      query.delete("done");
      history.replaceState(history.state, "", location.pathname + (query.size ? `?${query}` : ""));
    }
    shown = document.querySelector("main").innerHTML;
    ready();
    // A runbook opens at the section that was asked for, or at the live cause.
    const section = document.querySelector("[data-section]")?.dataset.section;
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (section && !named && document.getElementById(section)) location.replace(`#${section}`);
    const week = document.querySelector(".ticks .current"); // on a narrow screen the calendar begins at now
    if (week) week.closest(".scroll").scrollLeft = week.offsetLeft - 120;
    unfold();
    setInterval(count, 1000);
    setInterval(refresh, FRESH_MS);
  });
})();
