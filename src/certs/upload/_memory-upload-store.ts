/** The store of uploaded certificates in memory, for tests. The real one has tests of its own. */
import type { StoredUpload, UploadStore } from '../../core/upload-store.ts';

export function createMemoryUploadStore(): UploadStore {
  const rows = new Map<string, StoredUpload>();
  return {
    listUploads: async () => [...rows.values()].toSorted((a, b) => b.addedAt - a.addedAt),
    async addUpload(upload, replaced) {
      for (const id of replaced) rows.delete(id);
      rows.set(upload.id, upload);
    },
    deleteUpload: async (id) => rows.delete(id),
  };
}
