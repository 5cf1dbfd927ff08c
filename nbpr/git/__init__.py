"""Git: the repository as git has it and as a person has it."""
