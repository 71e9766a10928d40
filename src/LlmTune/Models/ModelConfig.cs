using LlmTune.Config;
using LlmTune.Tokenization;

namespace LlmTune.Models;

/// <summary>Which model is tuned, and in which form it is loaded.</summary>
public sealed record ModelConfig
{
    [Key("path"), Path(Maybe = true), Doc("model folder, or a hub id in the local Hugging Face cache")]
    public required string Path { get; init; }

    [Key("init"), Doc("random takes the shape from config.json and draws the weights: pretraining")]
    public ModelInit Init { get; init; } = ModelInit.Weights;

    [Key("dtype"), Doc("auto is bfloat16 on a GPU that has it, else float32")]
    public ModelDtype Dtype { get; init; } = ModelDtype.Auto;

    [Key("tokenizer"), Path(Maybe = true), Doc("another folder with the tokenizer", Default = "as path", Example = "models/other")]
    public string? Tokenizer { get; init; }

    [Key("chat_template"), Path(Maybe = true)]
    [Doc("a file, a name among the model's templates, chatml, or the text itself", Default = "the model's", Example = "template.jinja")]
    public string? ChatTemplate { get; init; }

    [Key("ignore_unexpected_tensors"), Doc("leave out tensors of the folder that the model has no use for (a value head, layers for drafting), which else are an error")]
    public bool IgnoreUnexpectedTensors { get; init; }

    [Key("chat_template_kwargs"), Doc("variables that the chat template sees, in training, preview, eval and generate alike: { enable_thinking: false }")]
    public ValueTree ChatTemplateKwargs { get; init => field = TemplateVariables.Checked(value); } = ValueTree.Empty;

    [Key("trainable"), Form(typeof(TrainablePartsForm))]
    [Doc("without an adapter: all, { last_layers: 4 }, or a list of name patterns like [lm_head, layers.23]; the rest stays as it is")]
    public TrainableParts Trainable { get; init; } = TrainableParts.All;
}

/// <summary>Where the first weights come from.</summary>
public enum ModelInit
{
    [Key("weights")] Weights,
    [Key("random")] Random,
}

/// <summary>In which type the weights are held.</summary>
public enum ModelDtype
{
    [Key("auto")] Auto,
    [Key("float32")] Float32,
    [Key("bfloat16")] BFloat16,
    [Key("float16")] Float16,
}
