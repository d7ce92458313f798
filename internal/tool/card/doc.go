// Package card finds an MCP server by its server card (the draft of SEP-2127).
//
// # Concepts
//
// The operator has configured where a card is, and the card says where the server is: whoever writes the card chooses whom
// Signalbox speaks to, from inside of whatever network Signalbox is in. So what a card names is believed within bounds.
//
//   - The remote is the first one of type streamable-http. It has TLS; it may do without only on this machine, where the card
//     is, too.
//   - It is at a public address ([Public]), unless its host is the card's and the card was at an address that is not public:
//     then it is in a network that the operator has chosen. Addresses are looked at when they are dialled ([Remote.Control]),
//     so that a name that leads somewhere else by then, or at every other look-up, does not help. Proxies would see to
//     look-ups themselves, and are not used.
//   - What is configured to be sent goes to the card's own origin, and to those that the operator names. A remote elsewhere is
//     refused where something is to be sent. What the card says of headers does not count.
//
// # Format
//
// A card is at most [MaxCard] bytes of JSON, and is said to be a server card, or JSON. Redirects are not followed.
package card
