/** Where an entry stands in the document, for diagnostics of the rooms that compile it further. */
export type Path = readonly (string | number)[];
