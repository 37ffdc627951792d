"""Text encoders behind an API that speaks OpenAI's protocol: ``openai:MODEL``."""
