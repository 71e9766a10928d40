using LlmTune.Cli;
using LlmTune.Cli.Terminal;

if (OperatingSystem.IsWindows()) Console.OutputEncoding = System.Text.Encoding.UTF8;   // elsewhere it is already
return App.Run(args, Screen.Standard());
