/** The page's elements. */

export const byId = (id) => document.getElementById(id);

/** A new element with these properties and children. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** A number in words: "1 request", "6,000 requests". */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** A time in words, in the largest unit that it fills. */
export function duration(seconds) {
  const units = [[86400, "day"], [3600, "hour"], [60, "minute"]];
  const [size, unit] = units.find(([length]) => seconds >= length) || [1, "second"];
  return counted(Math.round(seconds / size), unit);
}

/** Has the browser save a text as a file. */
export function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Shows a text in the dialog, selected if it is to be copied by hand. */
export function showText(title, text, selected = false) {
  const dialog = byId("dialog");
  byId("dialog-title").textContent = title;
  byId("dialog-text").value = text;
  dialog.showModal();
  if (selected) byId("dialog-text").select();
}
