using LlmTune.Config;

namespace LlmTune.Models;

/// <summary>Which model is tuned, and in which form it is loaded.</summary>
public sealed record ModelConfig
{
    [Key("path"), Path(Maybe = true), Doc("model folder, or a hub id in the local Hugging Face cache")]
    public required string Path { get; init; }

    [Key("dtype"), Doc("auto is bfloat16 on a GPU that has it, else float32")]
    public ModelDtype Dtype { get; init; } = ModelDtype.Auto;

    [Key("tokenizer"), Path(Maybe = true), Doc("another folder with the tokenizer", Default = "as path", Example = "models/other")]
    public string? Tokenizer { get; init; }

    [Key("chat_template"), Path(Maybe = true)]
    [Doc("a file, a name among the model's templates, or the text itself", Default = "the model's", Example = "template.jinja")]
    public string? ChatTemplate { get; init; }
}

/// <summary>In which type the weights are held.</summary>
public enum ModelDtype
{
    [Key("auto")] Auto,
    [Key("float32")] Float32,
    [Key("bfloat16")] BFloat16,
    [Key("float16")] Float16,
}
