using System.Text.Json.Nodes;
using LlmTune.Io;
using LlmTune.Tokenization;

namespace LlmTune.Models;

/// <summary>What transformers reads of tokenizer and chat template, where a folder's copied files do not say it.</summary>
internal static class TokenizerFiles
{
    private const string ConfigName = "tokenizer_config.json";

    /// <summary>
    /// Names in tokenizer_config.json the special tokens that were found elsewhere (special_tokens_map.json, the tokenizer's own file).
    /// Where tokenizer.json stands alone, the file is made.
    /// </summary>
    public static void NameTokens(string folder, HfTokenizer tokenizer)
    {
        var file = Path.Combine(folder, ConfigName);
        var exists = File.Exists(file);
        if (!exists && !File.Exists(Path.Combine(folder, "tokenizer.json"))) return;
        var config = exists ? ModelFiles.Read(file) : new JsonObject { ["tokenizer_class"] = "PreTrainedTokenizerFast" };
        (string Role, int? Id)[] roles =
            [("bos_token", tokenizer.BosId), ("eos_token", tokenizer.EosId), ("unk_token", tokenizer.UnkId), ("pad_token", tokenizer.PadId)];
        var missing = roles.Where(role => role.Id is not null && config[role.Role] is null).ToList();
        foreach (var (role, id) in missing) config[role] = tokenizer.Token(id!.Value);
        if (missing.Count > 0 || !exists) ModelFiles.Write(file, config);
    }

    /// <summary>Writes a chat template to chat_template.jinja, and those with names to additional_chat_templates.</summary>
    /// <param name="named">The model's further templates; empty where the run has set one, which is then the only one.</param>
    /// <param name="replaces">Whether a template that the copied files name goes.</param>
    public static void WriteTemplate(string folder, string template, IReadOnlyDictionary<string, string> named, bool replaces)
    {
        AtomicFile.WriteText(Path.Combine(folder, "chat_template.jinja"), template);
        var additional = Path.Combine(folder, "additional_chat_templates");
        if (Directory.Exists(additional)) Directory.Delete(additional, recursive: true);
        foreach (var (name, source) in named) AtomicFile.WriteText(Path.Combine(additional, $"{name}.jinja"), source);
        if (!replaces) return;
        File.Delete(Path.Combine(folder, "chat_template.json"));
        var file = Path.Combine(folder, ConfigName);
        if (!File.Exists(file)) return;
        var config = ModelFiles.Read(file);
        if (config.Remove("chat_template")) ModelFiles.Write(file, config);
    }
}
