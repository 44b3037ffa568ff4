// The panel on Airflow's Home: who is on call, the promises, open incidents. Airflow loads this as a module and renders
// the function it leaves under the name the plugin gave it; React and its router are Airflow's own, found as globals.
// Whatever goes wrong in here, Home must stand: a part that cannot be shown says so in one line.
(() => {
  "use strict";
  const NAME = "On-call panel";
  const REFRESH_MS = 30000, PATIENCE_MS = 15000;
  const { React, ReactRouterDOM } = globalThis;
  if (!React) {
    globalThis[NAME] = () => null;
    return;
  }
  const h = React.createElement;

  // Airflow's own colours, which follow its theme.
  const colour = (name) => `var(--chakra-colors-${name}, currentColor)`;
  const MUTED = { color: colour("fg-muted") };
  const LINK = { color: colour("fg-info") };
  const BOX = {
    border: `1px solid ${colour("border")}`, borderRadius: 5, padding: "12px 16px", flex: "1 1 18rem", minWidth: 0, overflowWrap: "anywhere",
  };
  const LIST = { listStyle: "none", margin: 0, padding: 0, display: "grid", gap: 6 };
  const TONES = { kept: "success", late: "warning", at_risk: "warning", broken: "error", unknown: "error" };

  const address = (path) => new URL(path, document.baseURI).href;
  const ask = async () => {
    const answer = await fetch(address("oncall/api/home"), { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`Airflow answers ${answer.status}`);
    const seen = await answer.json();
    return { ...seen, ahead: new Date(seen.on_call.at) - Date.now() };
  };

  // The clock of the roster's zone stands in the text itself: 2026-11-23T05:00:00+07:00 is shown as Mon 23 Nov, 05:00.
  const clock = (iso) =>
    new Date(`${iso.slice(0, 19)}Z`).toLocaleString("en-GB", {
      timeZone: "UTC", weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
    });
  // As core/time_format.py writes a length of time.
  const span = (seconds) => {
    const m = Math.round(seconds / 60), h = Math.floor(m / 60);
    if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 48 * 3600) return h ? `${h} h ${String(m % 60).padStart(2, "0")} min` : `${m} min`;
    const hours = Math.round(seconds / 3600);
    return `${Math.floor(hours / 24)} days${hours % 24 ? ` ${hours % 24} h` : ""}`;
  };

  // Airflow's pages are reached through its router, and ours in Airflow's frame by their own path after plugin/oncall;
  // without a router the browser leads there.
  const In = ({ to, children }) =>
    ReactRouterDOM?.Link ? h(ReactRouterDOM.Link, { to: `/${to}`, style: LINK }, children) : h("a", { href: address(to), style: LINK }, children);
  // Airflow's tones are too pale for text: they are the frame, the words keep the colour of all text.
  const toned = (tone) => ({
    background: colour(tone ? `bg-${tone}` : "bg-muted"), border: `1px solid ${colour(tone ? `fg-${tone}` : "border")}`, color: colour("fg"),
  });
  const Badge = ({ tone, children }) =>
    h("span", {
      style: { ...toned(tone), borderRadius: 4, fontSize: 12, fontWeight: 600, padding: "0 6px", marginInlineEnd: 8, whiteSpace: "nowrap" },
    }, children);
  const Line = ({ children }) =>
    h("p", { role: "status", style: { ...toned("error"), borderRadius: 5, padding: "6px 16px", marginBottom: 8, overflowWrap: "anywhere" } }, children);
  const Box = ({ title, more, children }) =>
    h("section", { "aria-label": title, style: BOX }, h("h3", { style: { ...MUTED, fontSize: 12, fontWeight: 600, marginBottom: 6 } }, title, more), children);

  const People = ({ on_call: current, team }) =>
    h(Box, { title: "On call now", more: team ? `, ${team}` : "" },
      h("p", { style: { fontSize: 20, fontWeight: 600, lineHeight: 1.3 } }, current.primary?.name ?? "nobody"),
      h("p", null, "then ", h("strong", null, current.secondary?.name ?? "nobody"), ", then ", current.manager.name),
      h("p", { style: MUTED }, `until ${clock(current.until)}`));

  const left = (due, at) => {
    const seconds = (new Date(due) - at) / 1000;
    return seconds >= 0 ? `due in ${span(seconds)}` : `due ${span(-seconds)} ago`;
  };
  const Promised = ({ card: { today, next }, at }) => {
    const pending = today.published_at ? next?.due : today.due;
    const words = [today.cause_words || today.headline];
    if (pending) words.push(today.published_at ? `next ${left(pending, at)}` : left(pending, at));
    return h("li", null,
      h(Badge, { tone: TONES[today.verdict] }, today.verdict.replace("_", " ")),
      h(In, { to: `dags/${today.dag_id}/plugin/runbook` }, today.title),
      h("div", { style: MUTED }, words.join(" · ")));
  };
  const Promises = ({ promises, more_promises: more, at }) =>
    h(Box, { title: "Promises to investors" },
      promises.length
        ? h("ul", { style: LIST }, promises.map((card) => h(Promised, { key: card.today.report, card, at })))
        : h("p", null, "They cannot be seen now."),
      more ? h("p", { style: MUTED }, `and ${more} more, none of them worse`) : null);

  const Incidents = ({ open_incidents: open }) =>
    h(Box, { title: "Open incidents" },
      open.length
        ? h("ul", { style: LIST }, open.map((one) =>
            h("li", { key: one.key },
              one.drill ? h(Badge, { tone: "warning" }, "drill") : null,
              h(In, { to: `plugin/oncall${one.links.incident ?? ""}` }, one.title),
              h("div", { style: MUTED }, one.status))))
        : h("p", null, "None"));

  const Shown = () => {
    const [seen, setSeen] = React.useState(null);
    const [failed, setFailed] = React.useState("");
    const [, tick] = React.useReducer((count) => count + 1, 0);
    React.useEffect(() => {
      let gone = false;
      const look = () => {
        if (document.hidden) return;
        ask().then(
          (found) => gone || (setSeen(found), setFailed("")),
          (error) => gone || setFailed(error.message || "no answer"));
      };
      look();
      const timers = [setInterval(look, REFRESH_MS), setInterval(tick, 1000)];
      document.addEventListener("visibilitychange", look);
      return () => {
        gone = true;
        timers.forEach(clearInterval);
        document.removeEventListener("visibilitychange", look);
      };
    }, []);
    const since = seen ? `; this is how it stood ${clock(seen.on_call.at)}` : "";
    return h(React.Fragment, null,
      failed ? h(Line, null, `Who is on call and how the promises stand cannot be read (${failed})${since}.`) : null,
      seen?.troubles.map((trouble) => h(Line, { key: trouble.title }, trouble.title)),
      seen ? h("div", { style: { display: "flex", flexWrap: "wrap", gap: 16 } },
        h(People, seen), h(Promises, { ...seen, at: Date.now() + seen.ahead }), h(Incidents, seen)) : null,
      seen || failed ? null : h("p", { style: MUTED }, "Reading…"));
  };

  class Guard extends React.Component {
    state = { broken: false };
    static getDerivedStateFromError() {
      return { broken: true };
    }
    render() {
      return this.state.broken ? h(Line, null, "The on-call panel cannot be shown; the On-call page may tell more.") : this.props.children;
    }
  }

  // Home orders its parts by number: after the welcome (2), before the figures (3).
  globalThis[NAME] = () =>
    h("section", { "aria-label": "On-call", style: { order: 2, fontSize: 14 } },
      h("div", { style: { display: "flex", justifyContent: "space-between", alignItems: "baseline", fontSize: 12, margin: "8px 0" } },
        h("h2", { style: { ...MUTED, fontSize: 12, fontWeight: 600 } }, "On-call"),
        h(Guard, null, h(In, { to: "plugin/oncall" }, "Open the On-call page"))),
      h(Guard, null, h(Shown)));
})();
