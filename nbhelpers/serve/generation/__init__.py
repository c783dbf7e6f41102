"""Code generation behind HTTP: users by token, bounded work, kept results, a history."""
