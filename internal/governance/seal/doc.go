// Package seal keeps what records say about people so that it can be erased while the log stays whole: it encrypts that
// part of each record under a key of the data subject, and to erase it is to destroy the key.
//
// # Concepts
//
// The data subject of a record is who X-Signalbox-Subject names, else the user, else (neither is known) nobody, for whom
// the tenant has a key of its own. The subject's keys are kept in the store as [signalbox.SubjectKey], wrapped by the
// [Master] key, which is not in the store: a file, an environment variable or a command gives it (see [Source]).
//
// [Vault] is what the log's writer and all who read the log use: Encode on the caller's side of the writer, Decode for
// projections and the control API. A key that Encode has made goes into the store in the transaction of the first
// record that needs it, as an effect of its entry; [Vault.Around] lets the vault know which batches were committed.
//
// [Vault.SealBytes] seals what is kept outside of the log, such as the arguments of a call that waits for approval, under
// the same keys, so that an erasure takes it too.
//
// # Format
//
// Encode moves the fields of [signalbox.Personal] out of the record. Their JSON, which begins with 16 random bytes
// ("salt"), is encrypted by AES-256-GCM: nonce (12 random bytes), ciphertext, tag (16 bytes) are the data of
// [signalbox.Sealed]. With it is authenticated the text
//
//	call "\n" type "\n" tenant "\n" time
//
// of the entry, the time as in the leaf (2006-01-02T15:04:05.000000Z), so that a part can not be moved to another
// record. The log's leaf commits to the content with the ciphertext in it. It stays provable when the key is gone.
//
// Sealed bytes have the same data. With them is authenticated "signalbox sealed bytes v1\n", the tenant, "\n" and what
// the caller says of their place.
//
// A subject's key is wrapped by AES-256-GCM under the master key with the text id "\n" tenant: nonce, ciphertext, tag.
// The column subject is HMAC-SHA-256 under the index key of the tenant's length (8 bytes, big-endian), the tenant and
// the subject's name. The index key is derived from the first master key (HKDF-SHA-256, info "signalbox subject index
// v1") and must outlive it: it is kept, wrapped like the others, as the key with the id "index".
//
// A master key is the text signalbox-master-key-1: and 32 bytes in base64, on one line. Its id is the first 8 bytes of
// the SHA-256 of those 32, in hex.
//
// # Invariants
//
//   - No personal field of a record that Encode gives is readable without the master key and the subject's key.
//   - Encode never changes what it was given: attempts and details are shared with the caller.
//   - Each entry carries the key that it is sealed with until that key is known to be durable. So a record is never
//     durable without its key.
//   - A key that was destroyed is never used again; who goes on speaking to us is given a new one.
//   - Keys in the clear are in memory only, in caches with bounds, and are in no error and no log line.
//
// What memory held can not be erased from it at will: a key that [Vault.Forget] drops is gone once its memory has been
// used again. Copies of the store (backups) hold the wrapped keys of their day.
package seal
