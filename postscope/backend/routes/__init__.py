"""One module a noun: parse the request, call the domain, answer."""
