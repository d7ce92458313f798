// Package fleet runs several processes of the real binary over one database, as replicas behind one address, or one
// process alone, and reads what they have left in the database.
//
// All processes of a [Fleet] read one configuration file. [Fleet.Send] goes to one after another, as a load balancer
// does. [Fleet.Records] and [Fleet.Accounts] read the database itself, past every API.
package fleet
