"""The service: domain rules, relational data and the HTTP interface."""
