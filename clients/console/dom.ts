/** Finds and makes elements. Text becomes text and nothing else: there is no way to markup from here. */

/** Throws when the page does not have it as this type. */
export function find<E extends Element>(id: string, type: new () => E): E {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return element;
}

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export function button(text: string, className: string, action: () => void): HTMLButtonElement {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

/** Names and values, as rows. */
export function rows(className: string, pairs: readonly (readonly [string, Node | string])[]): HTMLElement {
  return make(
    "dl",
    className,
    ...pairs.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))),
  );
}
