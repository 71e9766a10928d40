using System.CommandLine;
using LlmTune.Models;
using LlmTune.Recipes;

namespace LlmTune.Cli.Commands;

/// <summary>Options of the verbs that load a model without a run file.</summary>
internal sealed class ModelOptions
{
    public Option<string> Device { get; } = new("--device") { Description = "auto, cpu, cuda or cuda:N", HelpName = "name", DefaultValueFactory = _ => "auto" };

    public Option<string> Dtype { get; } = new("--dtype") { Description = "auto, float32, bfloat16 or float16", HelpName = "name", DefaultValueFactory = _ => "auto" };

    public Option<string> Base { get; } = new("--base") { Description = "base model of an adapter, if its config names none that is here", HelpName = "model" };

    public Option<bool> IgnoreUnexpected { get; } = new(FolderWeights.IgnoreOption) { Description = "leave out tensors of a folder that the model has no use for (a value head, layers for drafting)" };

    public ModelOptions() => Dtype.OneOf("auto", "float32", "bfloat16", "float16");

    public void AddTo(Command command)
    {
        command.Options.Add(Device);
        command.Options.Add(Dtype);
        command.Options.Add(Base);
        command.Options.Add(IgnoreUnexpected);
    }

    /// <summary>The source, with what the options say about reading it.</summary>
    public ModelSource Apply(ParseResult args, ModelSource source) => args.GetValue(IgnoreUnexpected) ? source with { LeavesOut = true } : source;

    public (Device Device, ScalarType Type) Read(ParseResult args)
    {
        var device = Devices.Of(args.GetValue(Device)!);
        return (device, Devices.TypeOf(Enum.Parse<ModelDtype>(args.GetValue(Dtype)!, ignoreCase: true), device));
    }
}
