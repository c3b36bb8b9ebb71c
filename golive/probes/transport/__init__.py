"""How systems are reached: HTTP, REST, commands, machines."""
