using LlmTune.Cli;
using LlmTune.Cli.Terminal;

return App.Run(args, Screen.Standard());
