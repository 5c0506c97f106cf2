"""Papers made from invented texts, as publishers, archives and universities print them."""
