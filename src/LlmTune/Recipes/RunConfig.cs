using System.Text.Json.Nodes;
using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Data;
using LlmTune.Models;
using LlmTune.Objectives;
using LlmTune.Recipes.Wording;
using LlmTune.Training;

namespace LlmTune.Recipes;

/// <summary>A run, as it stands in its run file. Each section is described beside the part that it builds.</summary>
[Glossary(typeof(RunGlossary))]
public sealed record RunConfig : ISettingRules
{
    [Key("version"), Doc("of this format")]
    public int Version { get; init => field = Require.That(value == 1, "1, the only version there is", value); } = 1;

    [Key("device"), Doc("auto, cpu, cuda or cuda:N; auto is cuda where it works")]
    public string Device { get; init => field = Require.That(Devices.IsName(value), "auto, cpu, cuda or cuda:N", value); } = "auto";

    [Key("model"), Doc("which model is tuned")]
    public required ModelConfig Model { get; init; }

    [Key("adapter"), Doc("how it is adapted; without this section the whole model is trained", Example = "{ type: lora }")]
    public AdapterConfig? Adapter { get; init; }

    [Key("data"), Doc("what it is trained on")]
    public required DataConfig Data { get; init; }

    [Key("objective"), Doc("what is minimised")]
    public ObjectiveConfig Objective { get; init; } = new SftConfig();

    [Key("training"), ShortOverrides, Doc("how it is trained")]
    public required TrainingConfig Training { get; init; }

    /// <summary>Variables that the chat template sees, data's before the model's.</summary>
    internal JsonObject TemplateVariables => Tokenization.TemplateVariables.Merge(Data.ChatTemplateKwargs.ToJson(), Model.ChatTemplateKwargs.ToJson());

    /// <summary>The run of a file, with every default decided.</summary>
    /// <exception cref="RequestException">Everything that is wrong with it.</exception>
    public static RunConfig Load(string path, params IEnumerable<string> overrides) => RunFile.Load(path, overrides).Config.Resolved();

    /// <summary>The same with the defaults that depend on several sections, and with the model that a run has written in the place of its folder.</summary>
    public RunConfig Resolved() => this with
    {
        Model = Model with { Path = RunFolder.ModelOf(Model.Path) },
        Training = Training with
        {
            LearningRate = Training.LearningRate ?? (Adapter is null ? 2e-5 : 2e-4),
            EvalStrategy = Training.EvalStrategy
                ?? (Data.Eval is null ? EvalStrategy.No : Training.EvalSteps is null ? EvalStrategy.Epoch : EvalStrategy.Steps),
        },
    };

    public IEnumerable<(string Setting, string Problem)> Broken()
    {
        if (Adapter is not null && Model.Trainable != TrainableParts.All)
            yield return ("model.trainable", "has no effect beside an adapter, which alone is trained; leave one of the two out");
        if (Adapter is not null && Model.Init == ModelInit.Random)
            yield return ("model.init", "is random, but an adapter needs a base that can be loaded again; leave the adapter section out");
        if (Adapter is null && Model.Dtype == ModelDtype.Float16)
            yield return ("model.dtype", "must be bfloat16 or float32 where the model itself is trained: gradients in float16 vanish");

        var rate = Resolved().Training.LearningRate!.Value;
        foreach (var (setting, problem) in (Training.LrSchedulerKwargs ?? new SchedulerSettings()).Problems(Training.LrSchedulerType, rate))
            yield return ($"training.lr_scheduler_kwargs.{setting}", problem);

        const string Problem = "asks for evaluation, but data.eval holds nothing out; add data.eval: { fraction: 0.02 }, or leave this out";
        if (Data.Eval is not null) yield break;
        if (Training.EvalStrategy is EvalStrategy.Steps or EvalStrategy.Epoch) yield return ("training.eval_strategy", Problem);
        else if (Training.EvalSteps is not null) yield return ("training.eval_steps", Problem);
    }
}
