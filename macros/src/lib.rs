//! What labql's rows and their GraphQL types derive.
