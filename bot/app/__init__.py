"""The jobs of the bot: they put the engine and the adapters together and decide about errors."""
