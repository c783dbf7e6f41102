"""The twin `tiny/qwen2.5-coder`: requests in words become small services."""
