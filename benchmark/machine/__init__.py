"""Software, hardware, memory and processes of the machine, and how commands end."""
