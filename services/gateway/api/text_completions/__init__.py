"""OpenAI's completions API: a prompt is continued as it stands, without a chat template."""
