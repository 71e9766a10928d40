using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>A property that is a key of the run file.</summary>
internal sealed class Setting
{
    private static readonly NullabilityInfoContext Nullability = new();
    private readonly PropertyInfo _property;

    private Setting(PropertyInfo property, string key)
    {
        _property = property;
        Key = key;
        Doc = property.GetCustomAttribute<DocAttribute>()
            ?? throw new InvalidOperationException($"{property.DeclaringType}.{property.Name} has no [Doc]");
        Required = property.GetCustomAttribute<RequiredMemberAttribute>() is not null;
        ShortOverrides = property.GetCustomAttribute<ShortOverridesAttribute>() is not null;
        var value = Nullable.GetUnderlyingType(property.PropertyType);
        lock (Nullability) IsNullable = value is not null || Nullability.Create(property).WriteState == NullabilityState.Nullable;
        Form = property.GetCustomAttribute<FormAttribute>() is { } form ? (Form)Activator.CreateInstance(form.Form)!
            : property.GetCustomAttribute<PathAttribute>() is { } path ? new PathForm(path.Maybe, path.MaybeHub)
            : Forms.Of(value ?? property.PropertyType);
    }

    public string Key { get; }

    public DocAttribute Doc { get; }

    public Form Form { get; }

    public bool Required { get; }

    public bool IsNullable { get; }

    public bool ShortOverrides { get; }

    public static IReadOnlyList<Setting> Of(Type record) =>
    [
        .. from property in record.GetProperties()
           let key = property.GetCustomAttribute<KeyAttribute>()
           where key is not null
           orderby property.MetadataToken
           select new Setting(property, key.Name),
    ];

    public object? Get(object section) => _property.GetValue(section);

    public void Set(object section, object? value) =>
        _property.SetValue(section, value, BindingFlags.DoNotWrapExceptions, binder: null, index: null, culture: null);

    /// <summary>The default as it would be written; null where there is none or it depends on others.</summary>
    public string? DefaultText(object fresh) => Default(fresh) is { } node ? NodeText.Flow(node) : null;

    public JsonObject Schema(object fresh)
    {
        var schema = Form.Schema();
        if (IsNullable) schema = new JsonObject { ["anyOf"] = new JsonArray(schema, new JsonObject { ["type"] = "null" }) };
        schema["description"] = Doc.Default is null ? Doc.Text : $"{Doc.Text} (default: {Doc.Default})";
        if (Default(fresh) is { } node) schema["default"] = NodeText.ToJson(node);
        return schema;
    }

    private ConfigNode? Default(object fresh) =>
        Doc.Default is null && !Required && Form is not (SectionForm or VariantForm) && Get(fresh) is { } value ? Form.Write(value) : null;
}
