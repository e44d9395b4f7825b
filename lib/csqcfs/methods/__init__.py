"""How a spiking network answers: plain IF neurons, and corrections that look at the input first."""
