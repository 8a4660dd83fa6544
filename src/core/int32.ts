/** The most that a count in a message, or in a column of one, can say. */
export const MAX_INT32 = 2 ** 31 - 1;
