/** Who calls where nobody needs a key. */
export const ANONYMOUS = "anonymous";

/** Who pays where nothing says who does. */
export const INTERNAL = "internal";
