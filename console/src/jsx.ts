/** The functions that elements are written with, by names of this module's own: what is built then calls them directly, some thousand times. */
import * as runtime from "react/jsx-runtime";

export const { jsx, jsxs, Fragment } = runtime;
