// Package guard finds personal data and secrets in text. It hides them before the text is kept, in records, spans, logs and
// summaries ([Masker]), and looks for them in what calls of tools send and get ([Station]).
//
// # Concepts
//
// A detector looks at a text and gives spans: a piece of it and the tag that replaces the piece.
//
//	[email]   mail addresses
//	[phone]   phone numbers: international (+…, 00…), Korean, and North American in the usual groupings
//	[card]    payment card numbers (issuer range and Luhn)
//	[rrn]     Korean resident and foreigner registration numbers (date and, where it must hold, checksum)
//	[ssn]     US social security numbers, in groups
//	[iban]    bank account numbers (length of the country and checksum)
//	[secret]  keys and tokens of known shapes, JSON web tokens, PEM private keys, bearer tokens, values that are
//	          assigned to names like password or api_key, and the user part of a URL
//
// IP addresses are not hidden: without them an operator can not answer where a call came from, and the record of a call
// has its source in a field of its own.
//
// Detectors match on a folded copy of the text: full-width and other decimal digits are ASCII digits there, the many
// dashes one dash, the many spaces one space, characters without width are absent, and what is written as \u0040 or %40 is
// what it stands for. What is replaced is the original.
//
// [Masker.Secret] looks at a name or id, which is refused where it has a secret in it: masked it would name nothing.
//
// # Documents
//
// A [Scrubber] looks at JSON: at texts with their escapes resolved, at names of members, and at numbers with many digits. It
// gives what it found and the document with tags in place of it. Texts that are documents themselves are looked at as such.
// Only texts can be edited: what is found in a name or a number is [Scrubbed.Fixed].
//
// # The station
//
// Rules ([Rules]) say for a tool what is done in each direction: nothing, flag, mask or block. [Station] looks at the
// arguments between policy and approval, and at the answer on its way back. What passes beside the two is brought to it by
// the tool layer ([call.Beside]). What is found is counted, and never kept. What is told of a call after its way has ended, such
// as what a task comes to, is brought to [Rules.Aside].
//
// # Invariants
//
//   - A text without the bytes that a detector needs is never looked at by it. All of them are linear in the text: every
//     look to the left or right of a byte is bounded.
//   - A scrubbed document has the shape it had, all bytes outside of edited texts are the same, and scrubbing it again changes
//     nothing. What is too much to be looked at ([MaxScrubbed]) is an error.
//   - An edited call acts on what the policy has permitted. An error or a panic means no.
//   - A masked text is valid UTF-8, never longer than [MaxText], and masking it again changes nothing.
//   - What can not be judged is hidden: what lies beyond [MaxText] is cut, the word at a cut goes too, and phone number
//     candidates beyond [MaxPhoneChecks] are hidden without a check.
//
// These detectors are a first small set. They know shapes, not meaning: names, addresses and secrets without a shape pass.
package guard
