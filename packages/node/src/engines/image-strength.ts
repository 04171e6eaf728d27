/** How far a standard task goes from its input image where it does not say, 0 to 1. */
export const STRENGTH_DEFAULT = 0.75;
