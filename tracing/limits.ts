/** Of an array of commits so many are traced, the first ones: a thousand would fill the queue of the spans at once. */
export const TRACED_ELEMENTS = 16;
