using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>LLaMA-Factory's files for other purposes than training, and the command that does here what they do there.</summary>
internal static class LlamaFactoryCommands
{
    private static readonly string[] Measures = ["do_predict", "do_eval"];

    public static (string Key, string Instead)? Instead(MapNode file)
    {
        var (model, adapter) = (Text(file, "model_name_or_path") ?? "MODEL", Text(file, "adapter_name_or_path"));
        if (Text(file, "export_dir") is { } output)
        {
            if (file["export_quantization_bit"] is not null)
                return ("export_quantization_bit", "this file writes a quantized model, which is not built");
            return ("export_dir", adapter is null
                ? "this file writes a model anew in parts; there is nothing to do, any verb takes the model as it is"
                : $"this file merges an adapter, which is a command here: {Merge(model, adapter, output)}");
        }
        if (IsOn(file, "do_train")) return null;
        if (Measures.FirstOrDefault(key => IsOn(file, key)) is { } measures)
            return (measures, $"this file measures a model, which is a command here: llmtune eval {With(model, adapter)} --data FILE");
        return file["dataset"] is null && file["stage"] is null
            ? (file["infer_backend"] is null ? "model_name_or_path" : "infer_backend",
                $"this file generates text, which is a command here: llmtune generate {With(model, adapter)} --prompt TEXT")
            : null;
    }

    /// <summary>The command that merges an adapter.</summary>
    public static string Merge(string model, string adapter, string output) => $"llmtune merge {adapter} --base {model} --output {output}";

    private static string With(string model, string? adapter) => adapter is null ? model : $"{adapter} --base {model}";

    private static string? Text(MapNode file, string key) => file[key] is ScalarNode { Kind: not ScalarKind.Null } scalar ? scalar.Text : null;

    private static bool IsOn(MapNode file, string key) => file[key] is ScalarNode { Text: "true" or "True" or "TRUE" };
}
