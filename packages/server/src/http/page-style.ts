/** How our pages look: one sheet for all, small enough to stand in each. Light or dark as the system is. */

export const style = `
:root {
  color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
  --page: light-dark(#eef2f5, #0e1418); --card: light-dark(#fff, #172027); --ink: light-dark(#15212b, #e6edf2);
  --quiet: light-dark(#526270, #9bacb9); --line: light-dark(#d3dce3, #2c3a45); --tide: light-dark(#0a6482, #5cc3e4);
  --on-tide: light-dark(#fff, #06222d); --alert: light-dark(#a03a10, #ffb38a);
}
body { margin: 0; padding: 6vh 1rem; background: var(--page); color: var(--ink); }
header, main { max-width: 32rem; margin: 0 auto; box-sizing: border-box; }
header { padding: 0 .2rem .8rem; font-weight: 650; letter-spacing: .02em; color: var(--tide); }
main { padding: 1.6rem 1.8rem 1.8rem; background: var(--card); border: 1px solid var(--line); border-radius: .8rem; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .8rem; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { margin: .8rem 0; } main > :last-child, main > :last-child > :last-child { margin-bottom: 0; }
a { color: var(--tide); }
code { font: .92em/1.4 ui-monospace, monospace; padding: .1em .35em; border-radius: .3em; background: var(--page); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.2rem; margin: 1.2rem 0; padding: 1rem 0;
  border: solid var(--line); border-width: 1px 0; }
dt { color: var(--quiet); } dd { margin: 0; }
label { display: block; color: var(--quiet); }
input, button { font: inherit; padding: .55rem .9rem; border: 1px solid var(--line); border-radius: .45rem; }
input { display: block; width: 100%; box-sizing: border-box; margin: .3rem 0 1rem; background: var(--card); color: var(--ink); }
input[name=user_code] { font: 1.5rem/1.4 ui-monospace, monospace; letter-spacing: .15em; text-align: center; text-transform: uppercase; }
button { cursor: pointer; font-weight: 600; background: var(--tide); border-color: var(--tide); color: var(--on-tide); }
button[value=refuse], form[action$="/remove"] button, form[action="/logout"] button,
form[action="/account/recovery-codes"] button { background: none; color: var(--tide); }
button + button { margin-left: .4rem; }
form + form { margin-top: 1.4rem; padding-top: 1.4rem; border-top: 1px solid var(--line); }
:focus-visible { outline: 3px solid var(--tide); outline-offset: 2px; }
[role=alert] { color: var(--alert); } [role=alert]:empty { display: none; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
@media (forced-colors: active) { button { border: 1px solid; } }`
