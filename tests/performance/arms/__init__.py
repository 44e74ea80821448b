"""The arms, each a process of its own: it reads its settings as JSON from standard input and works until ended."""
