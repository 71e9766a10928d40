using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Native;
using LlmTune.Recipes;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune merge</c>: an adapter is worked into its base.</summary>
internal static class MergeCommand
{
    public static Command Create()
    {
        var source = new Argument<string>("run|adapter") { Description = "run folder, or adapter folder in PEFT's format" };
        var output = new Option<string>("--output", "-o") { Description = "model folder to write", HelpName = "folder", Required = true };
        var force = new Option<bool>("--force") { Description = "replace a folder that is there" };
        var baseModel = new ModelOptions();
        var command = new Verb("merge", "work an adapter into its base model",
            "merge out/qwen-lora --output models/qwen-merged",
            "merge adapter-from-peft --base models/Qwen2.5-0.5B --output merged")
        {
            source, output, force, baseModel.Base, baseModel.Device, baseModel.IgnoreUnexpected,
        };
        command.SetAction(args => Run(
            args.GetValue(source)!, baseModel.Apply(args, ModelSource.Resolve(args.GetValue(source)!, args.GetValue(baseModel.Base))),
            args.GetValue(output)!, args.GetValue(force), args.GetValue(baseModel.Device)!, args.Session()));
        return command;
    }

    private static int Run(string name, ModelSource source, string output, bool force, string device, Session session)
    {
        Libtorch.Load();
        var check = Merge.Run(source, output, force, Devices.Of(device), session.Log);
        session.Log.Information("Merged against base and adapter: {Check}", check);
        session.Log.Information("Wrote {Folder}", output);
        session.Log.Information("Next: llmtune eval {Source} {Folder} --data FILE, or llmtune generate {Folder} --prompt TEXT",
            ProgramPath.Quoted(name), ProgramPath.Quoted(output), ProgramPath.Quoted(output));
        return 0;
    }
}
